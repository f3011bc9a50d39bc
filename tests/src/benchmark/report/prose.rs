//! What a reader must know beside the figures.

/// How it was measured.
pub(in crate::benchmark) const METHOD: &str = "\
- Nodes, client and a second host that looks on are network namespaces on bridges, on one machine. One program at a time runs on both
  nodes, and the two take turns, run by run. Both elect with VRRPv3 over IPv4, by multicast, with the same intervals, priority 200 on
  node `a` and 100 on node `b`. keepalived runs as Debian ships it, with one `vrrp_instance` a VIP; Holdfast runs with manifests in a
  folder, and with everything else at its defaults: the fence (`Overlap`) and the lease of the addresses are on, real-time scheduling is
  asked for.
- A client asks the VIP by ICMP echo each millisecond, from a real-time thread at absolute times. An answer that takes longer than 50 ms is
  a loss. A gap reaches from the sending of the first lost probe to the sending of the next one that was answered.
- Who answers for a VIP is asked by ARP each 20 ms, from the second host: that is the resolution of all times with two holders.
- A = the advertisement interval, S = the skew of the backup, (256 - 100) / 256 A. Moments of events are spread over the interval by the
  seed: run i of n lies in the i-th part, the same for both programs. Where adverts matter, it counts from an advert that was heard.
- A node crash takes the link away silently and kills everything on the node. In a mass failover everything is killed at one moment, and
  the link stays.
- With many VIPs, 250 share a LAN, and each is elected on its own. When one has moved is told by the gratuitous ARP that a client receives
  (mass failover) or by the kernels of the nodes (planned release).
- Processor time is the sum over all threads of the program, parent and child of keepalived together, from the kernel's `schedstat` over a
  window in which nothing happens. Between namespaces, the sender of a packet is charged for part of the work of its receiver.
- Memory is the sum of `VmRSS` over the processes of a program; pages that keepalived's two processes share count twice. Its samples are
  master and backup.
- False transitions are the lines by which each program logs that it has become master or backup of something.
- A goal with a limit must hold in every run; one that compares with keepalived, for the median.";

/// What the figures do not show.
pub(in crate::benchmark) fn limits() -> Vec<String> {
    [
        "Virtual Ethernet on one machine has no latency to speak of and loses nothing. A switch adds its own time before it has learned \
         where an address is.",
        "Both nodes, the client and the measuring threads share the processors of one machine. With thousands of VIPs they hold each \
         other up, both programs alike.",
        "keepalived's `track_process` needs the kernel's process events, which are not to be had inside namespaces. On a machine of its own \
         it is faster than the script that was measured.",
        "Two holders that keepalived leaves behind last until somebody removes the address. The figure is the time for which they were \
         watched.",
        "A planned release is probed on a part of the VIPs, for the kernel remembers 1,024 neighbours only; the kernels of the nodes are asked \
         about every one.",
        "After a crash both programs wait for the same moment. Holdfast then adds the address on a thread of its own and announces it only when \
         the kernel has confirmed it: about half a millisecond more, and two more turns at the processor. Single runs that miss a bound by \
         a few milliseconds waited for those.",
        "In a planned release of 2,000 VIPs none is without a holder at any moment. Probes that count as lost there were answered, but after \
         more than 50 ms: both nodes change thousands of addresses on the same processors.",
        "About 14.6 MiB of Holdfast's memory are pages of the program, which speaks TLS, HTTP and Kubernetes; a VIP takes about 6 KiB more. One \
         heap for all threads would save 2 MiB, but its lock could hold up the election.",
    ]
    .map(str::to_owned)
    .into()
}
