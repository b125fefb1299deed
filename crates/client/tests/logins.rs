//! Logins against a provider and a Keystone that do what the test says: what the real ones never would.

#[path = "logins/device.rs"]
mod device;
#[path = "logins/keystone.rs"]
mod keystone;
#[path = "logins/loopback.rs"]
mod loopback;
#[path = "logins/support.rs"]
mod support;
#[path = "logins/tokens.rs"]
mod tokens;
#[path = "logins/websso.rs"]
mod websso;
