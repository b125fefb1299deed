//! The Sealstone server.

fn main() {}
