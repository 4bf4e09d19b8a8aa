//! What a stolen SIP account can do: nothing but register. The provider records no call.
