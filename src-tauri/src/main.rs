//! Starts the app.

fn main() {
    ringround::run();
}
