//! What the agent promises, tried with the real binary in network namespaces, against other agents and keepalived.
//!
//! | module | promise |
//! | --- | --- |
//! | `wire` | frames are, byte for byte, those of the protocol and of the peers in the field |
//! | `keepalived_peer` | keepalived and Holdfast elect each other, in every mode both have |
//! | `handover` | leaving on purpose loses nothing |
//! | `group` | members move together |
//! | `crash` | a master that dies or freezes is replaced in time, and its addresses go |
//! | `fencing` | an agent that dies or freezes is silenced by its own kernel |
//! | `partition` | links, carriers and one-way partitions |
//! | `address` | the addresses on the interface are kept, cleaned up, or left alone |
//! | `restart` | a restart without manifests |
//! | `status` | what a person and a program see of an agent |
//! | `readiness` | who asks the agent learns what it lacks |
//! | `password` | passwords that are missing, wrong, changed |
//! | `check_*` | health checks of every kind, rise and fall, weights |
//! | `reload` | a changed folder disturbs nothing else |
//! | `manifest_error` | bad manifests are named, and change nothing |
//! | `hostile_packet` | wrong packets, strangers and floods |
//! | `interface` | interfaces that are missing, vanish and come back |
//! | `state_folder` | two agents, a full folder |

mod address;
mod check_command;
mod check_file;
mod check_http;
mod check_https;
mod check_process;
mod check_tcp;
mod check_weight;
mod crash;
mod fencing;
mod group;
mod handover;
mod hostile_packet;
mod interface;
mod keepalived_peer;
mod manifest_error;
mod partition;
mod password;
mod readiness;
mod reload;
mod restart;
mod state_folder;
mod status;
mod support;
mod wire;
