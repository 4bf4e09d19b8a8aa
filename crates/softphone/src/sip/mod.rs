//! SIP: messages, digest, transactions, dialogs, and the socket.
