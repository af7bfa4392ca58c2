//! Verifying an exported file without a database.

use std::io::{self, BufRead};

use auth::PublicKey;

use crate::domain::{FileReport, Verifier};

/// Why a file does not prove what it says.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// The first line that does not fit, from 1, and why.
    #[error("line {line}: {problem}")]
    Broken { line: u64, problem: String },
    #[error("the file cannot be read")]
    Unread(#[from] io::Error),
}

/// Recomputes the file's part of the chain and verifies its signatures, line by line. With no key in `trusted` the file's own
/// is believed: then it proves that it is whole, and not who wrote it.
pub fn verify_file(
    mut file: impl BufRead,
    trusted: Vec<PublicKey>,
) -> Result<FileReport, FileProblem> {
    let mut verifier = Verifier::new(trusted);
    let (mut line, mut text) = (0, String::new());
    loop {
        text.clear();
        line += 1;
        let broken = |problem: String| FileProblem::Broken { line, problem };
        match file.read_line(&mut text) {
            Ok(0) => return verifier.finish().map_err(|err| broken(err.to_string())),
            Ok(_) => verifier.line(&text).map_err(|err| broken(err.to_string()))?,
            Err(err) if err.kind() == io::ErrorKind::InvalidData => {
                return Err(broken("is no text".to_owned()));
            }
            Err(err) => return Err(err.into()),
        }
    }
}
