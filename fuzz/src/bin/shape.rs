//! The fuzzer of `targets::shape`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::shape::TARGET)
}
