//! The command line's end of the control socket. It blocks: one command, one answer.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use super::{Answer, Command, LONGEST_CHUNK, LONGEST_LINE, socket};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No server runs with this data folder.
    #[error(
        "no server runs with the data folder {0}; start it with: sudo systemctl start ringround-server (by hand: ringround-server serve --help)"
    )]
    NotRunning(String),
    /// The socket belongs to someone else.
    #[error("the server with the data folder {0} belongs to another user; run this command as that user")]
    NotYours(String),
    /// The connection broke.
    #[error("the server stopped before it answered: {0}")]
    Broken(#[from] io::Error),
    /// The file could not be read.
    #[error("the list could not be read: {0}")]
    File(io::Error),
    /// Another version.
    #[error("the server's answer makes no sense; is it of the same version? {0}")]
    Strange(#[from] serde_json::Error),
}

/// Asks the server; `file` is what [`Command::Import`] uploads.
///
/// # Errors
/// [`NoAnswer`], in words for the organiser.
pub fn ask(data: &Path, command: &Command, file: Option<&mut dyn Read>) -> Result<Answer, NoAnswer> {
    let path = socket(data);
    let mut stream = UnixStream::connect(&path).map_err(|error| {
        let data = data.display().to_string();
        if error.kind() == io::ErrorKind::PermissionDenied {
            NoAnswer::NotYours(data)
        } else {
            NoAnswer::NotRunning(data)
        }
    })?;
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    if let Some(file) = file
        && let Err(refused) = upload(&mut stream, file)
    {
        // The server answers a file it refuses before it has the whole of it.
        return match refused {
            NoAnswer::Broken(_) => read(&stream),
            NoAnswer::File(_) | NoAnswer::NotRunning(_) | NoAnswer::NotYours(_) | NoAnswer::Strange(_) => {
                Err(refused)
            }
        };
    }
    read(&stream)
}

fn upload(stream: &mut UnixStream, file: &mut dyn Read) -> Result<(), NoAnswer> {
    let mut chunk = vec![0; LONGEST_CHUNK];
    loop {
        let read = match file.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(NoAnswer::File)?,
        };
        let length = u32::try_from(read).unwrap_or(0);
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&chunk[..read])?;
        if read == 0 {
            return Ok(());
        }
    }
}

fn read(stream: &UnixStream) -> Result<Answer, NoAnswer> {
    let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    BufReader::new(stream).take(longest).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(NoAnswer::Broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(serde_json::from_slice(&line)?)
}
