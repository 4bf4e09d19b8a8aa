//! What passes over a volunteer's line, as the node's Asterisk counts it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::pbx::Node;

/// Packets of sound on a line since it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packets {
    /// From the app.
    pub from_app: u64,
    /// To the app.
    pub to_app: u64,
}

/// Of the only line that there is.
///
/// # Errors
/// When there is none, or more than one.
pub async fn packets(node: &Node) -> Result<Packets> {
    let channels = node.channels().await?;
    let lines: Vec<&String> = channels.iter().filter(|channel| channel.starts_with("line-")).collect();
    ensure!(lines.len() == 1, "one line, not {lines:?}");
    let counted = node.get(&format!("channels/{}/rtp_statistics", lines[0])).await?;
    let count = |name: &str| counted[name].as_u64().with_context(|| format!("{name} in {counted}"));
    Ok(Packets { from_app: count("rxcount")?, to_app: count("txcount")? })
}

/// Watches the only line for a second between two calls, in which nothing may pass.
///
/// # Errors
/// When something does.
pub async fn is_silent(node: &Node) -> Result<Packets> {
    let before = packets(node).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = packets(node).await?;
    ensure!(before == after, "between calls the line sends nothing, and now {before:?} became {after:?}");
    Ok(after)
}
