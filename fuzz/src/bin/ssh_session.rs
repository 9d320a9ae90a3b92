//! The fuzzer of `targets::ssh_session`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::ssh_session::TARGET)
}
