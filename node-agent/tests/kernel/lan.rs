//! Network namespaces on one bridge, removed when dropped.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;

use crate::node::eventually;

/// A network namespace. Its name is unique on the machine.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

/// Hosts with an `eth0` each, on one bridge. Host number `n`, from one, has `10.0.0.n/24` and `fd00::n/64`.
#[derive(Debug)]
pub(crate) struct Lan {
    hosts: Vec<Namespace>,
    bridge: Namespace,
}

/// Runs a program and returns what it printed; panics with its complaint if it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Namespace {
    pub(crate) fn new(role: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(geteuid().is_root(), "these tests make network namespaces and need root");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hfk-{}-{number}-{role}", std::process::id());
        run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` with these arguments in the namespace.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let mut words = vec!["-n", self.name.as_str()];
        words.extend(arguments.split_whitespace());
        run("ip", &words)
    }

    /// Runs `ip` once for all of these lines.
    pub(crate) fn batch(&self, lines: impl Iterator<Item = String>) {
        let mut child = Command::new("ip")
            .args(["-n", &self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the ip program is there");
        let mut input = child.stdin.take().expect("it is piped");
        for line in lines {
            writeln!(input, "{line}").expect("ip reads on");
        }
        drop(input);
        assert!(child.wait().expect("it ends").success(), "a line of the batch failed");
    }

    /// Runs a program in the namespace.
    pub(crate) fn exec(&self, command: &str) -> String {
        let mut words = vec!["netns", "exec", self.name.as_str()];
        words.extend(command.split_whitespace());
        run("ip", &words)
    }

    /// Runs a function in the namespace. Threads that it starts stay there.
    pub(crate) fn enter<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name)).expect("the namespace is there");
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
                function()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The addresses on an interface, with their prefix lengths, as `ip` prints them.
    pub(crate) fn addresses(&self, interface: &str) -> Vec<String> {
        let printed = self.ip(&format!("-o address show dev {interface}"));
        printed.lines().filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned)).collect()
    }

    pub(crate) fn has(&self, address: &str) -> bool {
        self.addresses("eth0").iter().any(|found| found == address)
    }

    /// Waits until `eth0` has this address: a state is reported before the kernel has acted on it.
    pub(crate) fn await_address(&self, address: &str) {
        eventually(&format!("{address} on eth0"), || self.has(address));
    }

    /// Writes a kernel setting below `/proc/sys`.
    pub(crate) fn sysctl(&self, path: &str, value: &str) {
        let file = format!("/proc/sys/{path}");
        self.enter(|| std::fs::write(&file, value).unwrap_or_else(|error| panic!("{file}: {error}")));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

impl Lan {
    pub(crate) fn new(hosts: usize) -> Self {
        let bridge = Namespace::new("bridge");
        bridge.ip("link add br0 type bridge mcast_snooping 0");
        bridge.ip("link set br0 up");
        let lan = Self { hosts: (1..=hosts).map(|number| Namespace::new(&format!("host{number}"))).collect(), bridge };
        for number in 1..=hosts {
            lan.plug(number);
        }
        lan
    }

    /// Makes `eth0` of a host, with its addresses, and plugs it into the bridge.
    pub(crate) fn plug(&self, number: usize) {
        self.connect(number, 0);
        let host = self.host(number);
        host.ip(&format!("address add 10.0.0.{number}/24 dev eth0"));
        host.ip(&format!("address add fd00::{number}/64 dev eth0 nodad"));
    }

    /// As [`Self::plug`], and `eth0` gets this number.
    pub(crate) fn plug_as(&self, number: usize, index: u32) {
        self.host(number).ip(&format!("link add eth0 index {index} type veth peer name port{number}-0"));
        let bridge = self.bridge.name();
        self.host(number).ip(&format!("link set port{number}-0 netns {bridge}"));
        self.bridge.ip(&format!("link set port{number}-0 master br0 up"));
        self.host(number).ip("link set eth0 up");
        self.host(number).ip(&format!("address add 10.0.0.{number}/24 dev eth0"));
    }

    /// Makes another interface of every host, on a bridge of its own: `eth1` with 10.0.1.n/24, and so on.
    pub(crate) fn widen(&self, interface: u32) {
        self.bridge.ip(&format!("link add br{interface} type bridge mcast_snooping 0"));
        self.bridge.ip(&format!("link set br{interface} up"));
        for number in 1..=self.hosts.len() {
            self.connect(number, interface);
            self.host(number).ip(&format!("address add 10.0.{interface}.{number}/24 dev eth{interface}"));
        }
    }

    fn connect(&self, number: usize, interface: u32) {
        let host = self.host(number);
        let (port, device) = (format!("port{number}-{interface}"), format!("eth{interface}"));
        self.bridge.ip(&format!("link add {port} type veth peer name {device} netns {}", host.name));
        self.bridge.ip(&format!("link set {port} master br{interface} up"));
        host.sysctl(&format!("net/ipv6/conf/{device}/accept_dad"), "0");
        host.ip(&format!("link set {device} up"));
    }

    /// Takes `eth0` away from a host.
    pub(crate) fn unplug(&self, number: usize) {
        self.host(number).ip("link delete eth0");
    }

    /// Cuts a host off, or not, on its first `interfaces`: the host notices nothing.
    pub(crate) fn isolate(&self, number: usize, interfaces: u32, isolated: bool) {
        let state = if isolated { 0 } else { 3 };
        for interface in 0..interfaces {
            self.bridge.exec(&format!("bridge link set dev port{number}-{interface} state {state}"));
        }
    }

    /// Sets the carrier of a host by its other end.
    pub(crate) fn carrier(&self, number: usize, carrier: bool) {
        self.bridge.ip(&format!("link set port{number}-0 {}", if carrier { "up" } else { "down" }));
    }

    pub(crate) fn host(&self, number: usize) -> &Namespace {
        &self.hosts[number - 1]
    }
}
