//! The way of one node to the API server: at the same address inside the node's namespace, and it can be cut.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::lab::Host;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Connections are carried on.
    Open,
    /// Connections are closed, and new ones as soon as they are made.
    Closed,
    /// Connections are made and stay, and nothing passes.
    Hanging,
}

/// A way that can be cut. Ends with the test's process.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    way: Way,
    connections: Vec<TcpStream>,
}

impl Gate {
    /// Opens a way from `host` to `server`.
    pub fn open(host: &Host, server: SocketAddr) -> Result<Self> {
        let listen = || TcpListener::bind(server).with_context(|| format!("cannot listen at {server}"));
        let listener = host.namespace().run(listen)?;
        let gate = Self(Arc::new(Mutex::new(State { way: Way::Open, connections: Vec::new() })));
        let accepting = gate.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Where nobody listens, the client's connection is closed, which says the same.
                let _ = accepting.carry_on(client, server);
            }
        });
        Ok(gate)
    }

    /// Changes the way.
    pub fn set(&self, way: Way) {
        let mut state = self.state();
        state.way = way;
        if way == Way::Closed {
            for connection in state.connections.drain(..) {
                // It may be closed already.
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    fn carry_on(&self, client: TcpStream, server: SocketAddr) -> io::Result<()> {
        if self.state().way == Way::Closed {
            return Ok(());
        }
        let server = TcpStream::connect(server)?;
        for (from, to) in [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)] {
            let gate = self.clone();
            thread::spawn(move || gate.carry(from, to));
        }
        self.state().connections.extend([client, server]);
        Ok(())
    }

    /// Carries bytes one way while the gate is open; while it hangs, it keeps what it has.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = io::Read::read(&mut from, &mut buffer) {
            while self.state().way == Way::Hanging {
                thread::sleep(std::time::Duration::from_millis(5));
            }
            let Some(bytes) = buffer.get(..count) else { break };
            if io::Write::write_all(&mut to, bytes).is_err() {
                break;
            }
        }
        for end in [from, to] {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
