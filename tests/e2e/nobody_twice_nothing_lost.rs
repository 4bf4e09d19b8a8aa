//! Volunteers who work at once: no callee is rung twice, none is left out, no card is on two screens. The
//! provider's records say so.

use e2e::{
    drain::drain,
    world::{World, number},
};

#[tokio::test(flavor = "multi_thread")]
async fn four_volunteers_call_a_list_of_forty() {
    let numbers: Vec<String> = (0..40).map(|n| number([0, 1, 3, 8, 4][usize::from(n % 5)], n)).collect();
    let world = World::with(&numbers).await.unwrap();
    let drained = drain(&world, &numbers, 4).await.unwrap();
    assert_eq!(drained.rung_twice, Vec::<String>::new());
    assert_eq!(drained.never_rung, Vec::<String>::new());
    assert_eq!((drained.leases_shared, drained.without_outcome, drained.invites), (0, 0, 40));
}
