//! The program: what was asked for is run, and its outcome becomes the exit code.

fn main() {}
