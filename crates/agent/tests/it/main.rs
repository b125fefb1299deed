//! The public face: what is kept fresh, when, and what becomes of every failure.

mod command;
mod est_answer;
mod files;
mod keeper;
mod machine;
mod proxy;
mod rotation;
mod service;
mod socket;
