//! A real nginx on a node, which answers every request with the node's name.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::host::Host;
use super::process::{Exit, Process};
use super::{program, scratch, wait};

/// A running nginx: one master process, one worker.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on `host`, listening on `port` of every address of both families, and waits until its worker answers.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        let folder = scratch::folder("nginx")?;
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration(host.name(), port)).context("cannot write nginx.conf")?;
        let mut command = program::command("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&path).args(["-e", "stderr"]);
        let process = host.spawn("nginx", command)?;
        let nginx = Self { process, _folder: folder };
        wait::until("nginx answers", Duration::from_secs(10), || answers(host, port))?;
        Ok(nginx)
    }

    /// Kills master and worker at once (SIGKILL).
    pub fn kill(&self) -> Result<Exit> {
        self.process.kill_group()
    }

    /// The master process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// Relative paths lie below the prefix, a folder of this nginx alone.
fn configuration(name: &str, port: u16) -> String {
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n access_log off;\n client_body_temp_path body;\n proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi;\n uwsgi_temp_path uwsgi;\n scgi_temp_path scgi;\n\
         server {{\n  listen {port};\n  listen [::]:{port};\n  location / {{ return 200 \"{name}\\n\"; }}\n }}\n}}\n"
    )
}

fn answers(host: &Host, port: u16) -> Result<bool> {
    host.namespace().run(|| Ok(request(port).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))))
}

fn request(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
