//! Holds the package; the programs are the files beside `src`.
