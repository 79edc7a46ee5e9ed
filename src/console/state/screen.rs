//! The screens, in the order of their digits.

/// One screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    /// All targets, findings, the end of the timeline.
    #[default]
    Overview,
    /// Every hop to a target.
    Path,
    /// Every resolver's answer.
    Dns,
    /// The presented chain.
    Tls,
    /// Packet sizes.
    Mtu,
    /// The phases of an exchange.
    Http,
    /// Polled devices.
    Devices,
    /// Steps of a runbook.
    Runbook,
    /// Everything that happened.
    Timeline,
}

impl Screen {
    /// All, in order.
    pub const ALL: [Screen; 9] = [
        Screen::Overview,
        Screen::Path,
        Screen::Dns,
        Screen::Tls,
        Screen::Mtu,
        Screen::Http,
        Screen::Devices,
        Screen::Runbook,
        Screen::Timeline,
    ];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Screen::Overview => "Overview",
            Screen::Path => "Path",
            Screen::Dns => "DNS",
            Screen::Tls => "TLS",
            Screen::Mtu => "MTU",
            Screen::Http => "HTTP",
            Screen::Devices => "Devices",
            Screen::Runbook => "Runbook",
            Screen::Timeline => "Timeline",
        }
    }

    /// Its name where there is little room.
    pub const fn short(self) -> &'static str {
        match self {
            Screen::Overview => "Over",
            Screen::Devices => "Dev",
            Screen::Runbook => "Book",
            Screen::Timeline => "Time",
            other => other.title(),
        }
    }

    /// Position, from 0; the key is one more.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The screen `by` places on, around the end.
    pub fn step(self, by: isize) -> Screen {
        let n = Self::ALL.len() as isize;
        let at = (self as isize + by).rem_euclid(n);
        Self::ALL[at as usize]
    }

    /// Whether it shows one target at a time.
    pub const fn of_target(self) -> bool {
        matches!(
            self,
            Screen::Path | Screen::Dns | Screen::Tls | Screen::Mtu | Screen::Http
        )
    }
}
