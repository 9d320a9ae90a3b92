//! The fuzzer of `targets::frontend`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::frontend::TARGET)
}
