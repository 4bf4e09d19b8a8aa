//! Server, Asterisk or network die at any moment: nobody is rung twice, nothing is lost.
