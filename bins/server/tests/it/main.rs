//! The whole program: `sealstoned` as a process of its own, over real TLS on the loopback interface.

mod arbitrary;
mod attacks_d;
mod attacks_e;
mod check;
mod client_limit;
mod dev;
mod harness;
mod kill9;
mod many_domains;
mod reload;
mod reload_configuration;
mod reload_running;
mod store;
mod traces;
mod wire;
