//! The simulated network itself: what the other tests stand on.

use e2e::pbx::{Node, Provider};

#[tokio::test]
async fn both_asterisks_come_up_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(folder.path(), None).await.unwrap();
    let mut node = Node::start(folder.path(), provider.address()).await.unwrap();
    assert_eq!(node.channels().await.unwrap(), Vec::<String>::new());
    node.kill();
    assert!(node.channels().await.is_err());
    node.start_again().await.unwrap();
    let id = node.id().unwrap();
    drop((node, provider));
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
}
