//! Development tasks: the full suite, its installation, the gates.

fn main() {}
