//! The protected service of `examples/`, in front of which a stolen token must stop.
