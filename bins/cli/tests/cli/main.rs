//! The built program, from outside.

#[cfg(unix)]
mod agent;
mod assertions;
mod audit;
mod ca_and_cert;
mod issuer;
mod jwt;
mod manners;
mod mapping;
mod people;
mod program;
mod registration;
mod store;
mod tie;
mod token;
mod user;
