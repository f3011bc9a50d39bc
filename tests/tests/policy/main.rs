//! What an agent may do with the token of its pod, what the operator may, and what both may not: the chart's roles and its
//! policies, in force on a real API server. The agent's requests are made with a token that is bound to a pod of `node-2`.

mod allowed;
mod forbidden;
mod operator;
mod support;
