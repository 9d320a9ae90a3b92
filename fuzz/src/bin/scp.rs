//! The fuzzer of `targets::scp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::scp::TARGET)
}
