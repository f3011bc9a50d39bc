//! A way from this machine to a server inside a host of the lab: a port of the loopback interface whose connections are
//! carried on, byte by byte.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use crate::lab::Host;

/// Carries connections until it is dropped; those that exist then go on until one end closes.
#[derive(Debug)]
pub(super) struct Forwarder {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Listens at `from`, and connects to `to` as `host` would.
    pub(super) fn start(from: SocketAddr, host: Arc<Host>, to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(from).with_context(|| format!("cannot listen at {from}"))?;
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let accepting = thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                let host = Arc::clone(&host);
                thread::spawn(move || {
                    // Where nobody listens, the client's connection is closed, which says the same.
                    let connected = host.namespace().run(|| Ok(TcpStream::connect(to)?));
                    if let Ok(server) = connected {
                        drop(host);
                        let _ = carry(&client, &server);
                    }
                });
            }
        });
        Ok(Self { address: from, ended, accepting: Some(accepting) })
    }

    /// Accepts no more connections, and lets go of the host.
    pub(super) fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
        if accepting.join().is_err() {
            println!("the forwarder of {} panicked", self.address);
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Both directions, each to its end.
fn carry(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| carry_one_way(client, server));
        carry_one_way(server, client);
    });
    Ok(())
}

fn carry_one_way(mut from: &TcpStream, mut to: &TcpStream) {
    // A broken connection ends as a closed one does.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
