//! The server's end of the control socket.

use std::{io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::{Answer, Command, LONGEST_CHUNK, LONGEST_LINE, commands, socket};
use crate::app::Shared;

const NEXT_BYTES_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_READ_WITHIN: Duration = Duration::from_secs(30);

/// Makes the socket. The data folder's lock says that no other server has it.
///
/// # Errors
/// As the operating system; a path of more than 107 bytes cannot be one.
pub fn bind(data: &Path) -> io::Result<UnixListener> {
    let path = socket(data);
    remove(&path)?;
    // Made under another name, so that it is never there with more permissions than it should have.
    let new = data.join("control.new");
    remove(&new)?;
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, &path)?;
    Ok(listener)
}

/// Takes the socket away.
pub fn unbind(data: &Path) {
    if let Err(error) = remove(&socket(data)) {
        tracing::warn!(%error, "the control socket could not be removed");
    }
}

/// Answers organisers until the server stops.
pub async fn serve(app: Shared, listener: UnixListener) {
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            () = app.stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let app = app.clone();
                    connections.spawn(async move {
                        tokio::select! {
                            () = app.stop.cancelled() => {}
                            () = answer(&app, stream) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "an organiser's connection failed");
                    // Out of file descriptors: give others time to close theirs.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn answer(app: &Shared, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let answer = match read_command(&mut read).await {
        Ok(Some(command)) => commands::run(app, command, &mut Upload { read: &mut read }).await,
        Ok(None) => return,
        Err(message) => Answer::Refused { message },
    };
    let mut line = match serde_json::to_vec(&answer) {
        Ok(line) => line,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            return;
        }
    };
    line.push(b'\n');
    match timeout(ANSWER_READ_WITHIN, write.write_all(&line)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "an organiser went away before the answer"),
        Err(_) => tracing::info!("an organiser did not read the answer"),
    }
}

async fn read_command(read: &mut BufReader<OwnedReadHalf>) -> Result<Option<Command>, String> {
    let mut line = Vec::new();
    let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    let mut bounded = read.take(longest);
    match timeout(NEXT_BYTES_WITHIN, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(0)) | Err(_) => return Ok(None),
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("The command could not be read: {error}")),
    }
    if line.last() != Some(&b'\n') {
        return Err("The command is too long or ends early".into());
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| {
        format!("The server does not know this command; is ringround-server of the same version? {error}")
    })
}

/// The file behind an import command, chunk by chunk.
pub struct Upload<'a> {
    read: &'a mut BufReader<OwnedReadHalf>,
}

impl Upload<'_> {
    /// The next chunk; empty at the end.
    ///
    /// # Errors
    /// When the connection ends before the file does, in words for the organiser.
    pub async fn next(&mut self) -> Result<Vec<u8>, String> {
        let ended = |e: io::Error| format!("The list ended early ({e}). Nothing was imported");
        let stalled = |_| "The list stalled for a minute. Nothing was imported".to_owned();
        let length =
            timeout(NEXT_BYTES_WITHIN, self.read.read_u32()).await.map_err(stalled)?.map_err(ended)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST_CHUNK {
            return Err("A piece of the list is too large; a fault of the program that sent it".into());
        }
        let mut chunk = vec![0; length];
        timeout(NEXT_BYTES_WITHIN, self.read.read_exact(&mut chunk))
            .await
            .map_err(stalled)?
            .map_err(ended)?;
        Ok(chunk)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
