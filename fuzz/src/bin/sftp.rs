//! The fuzzer of `targets::sftp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport_fuzz::driver::main(&sallyport_fuzz::targets::sftp::TARGET)
}
