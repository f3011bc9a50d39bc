//! Tests of the lab itself: a measuring instrument that lies makes every other test worthless. They need root and fail
//! without it. No agent is involved.

mod faults;
mod isolation;
mod measurement;
mod peers;
mod sweep;
mod wire;
