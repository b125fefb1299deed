//! People of a real Keystone: how they log in, and what is known of them afterwards.

mod logins;
mod sign_in;
mod standing;
mod world;
