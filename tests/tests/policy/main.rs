//! What an agent may do with the token of its pod, and what it may not: the chart's roles and its policy, in force on a real
//! API server. Every request is made with a token that is bound to a pod of `node-2`.

mod allowed;
mod forbidden;
mod support;
