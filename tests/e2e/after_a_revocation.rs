//! An organiser switches a device off: within a second it is out, its call included.
