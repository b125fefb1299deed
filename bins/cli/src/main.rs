//! The Sealstone command line.

fn main() {}
