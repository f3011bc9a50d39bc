//! Bytes on the wire: VRRP advertisements, ARP and neighbour discovery, and the IP headers around them.
