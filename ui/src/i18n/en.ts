/** English. Keys are named by place; a text with a number or a name in it is a function. */

const SMALL = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine', 'Ten'];
const ORDINAL = ['', 'First', 'Second', 'Third', 'Fourth', 'Fifth', 'Sixth', 'Seventh', 'Eighth', 'Ninth'];
const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
const count = (n: number) => SMALL[n] ?? n.toLocaleString('en-GB');
const plural = (n: number, one: string, other: string) => (n === 1 ? one : other);
const seconds = (n: number) => `${n} ${plural(n, 'second', 'seconds')}`;

export const en = {
  app: 'Ringround',
  landmark: { call: 'Call', page: 'Page', header: 'Header', outcomes: 'Outcome', digits: 'Telephone keys' },
  key: { space: 'Space', escape: 'Esc', enter: 'Enter', withAlt: (key: string) => `Alt ${key}` },
  mode: { 'one-touch': 'One-touch' },

  outcome: {
    reached: 'Reached',
    refused: 'Refused',
    callback: 'Call back',
    'no-answer': 'No answer',
    busy: 'Busy',
    machine: 'Machine',
    'wrong-number': 'Wrong number',
    'do-not-call': 'Do not call',
    other: 'Something else',
    abandoned: 'Nobody was there in time',
    screened: 'Call screening',
    failed: 'Did not go through',
    unknown: 'Not known',
  },

  card: {
    next: 'Next person',
    calling: 'Calling',
    talking: 'Talking with',
    spoke: 'You spoke with',
    rang: 'You rang',
    number: 'Telephone number',
    masked: 'shown masked',
    attempt: (n: number, of: number) =>
      of > 0 && n <= of
        ? `${ORDINAL[n] ?? `${n}th`} attempt of ${lower(count(of))}`
        : `${ORDINAL[n] ?? `${n}th`} attempt`,
    never: 'Do not call',
    hearing: /hear|deaf/i,
    flag: 'Important',
  },

  opening: {
    caption: 'One moment',
    name: 'Opening',
    text: 'Reading your sign-in from the system’s keyring.',
    status: 'Usually under a second',
    button: 'Opening',
    locked: { status: 'Waiting for the keyring', button: 'Unlock your keyring' },
    page: 'Opening',
    keyring: {
      title: 'Your sign-in is in the keyring',
      text: 'The system may ask for its password in a window of its own.',
    },
  },

  join: {
    caption: 'You are invited',
    name: 'Join a campaign',
    text: 'Your organiser sent you a link. Click it, or paste it here.',
    field: 'Invitation link',
    placeholder: 'ringround://join/…',
    once: 'A link works once',
    forOne: 'for one person',
    waiting: 'Waiting for your link',
    found: 'Link found, nothing else to type',
    asking: 'Asking the server',
    wrong: 'This link did not work',
    notYet: 'Not joined yet',
    button: 'Join',
    busy: 'Joining',
    empty: 'Paste your link to join',
    stepsTitle: 'What happens now',
    steps: [
      { head: 'Join', text: 'this computer makes its key' },
      { head: 'Start', text: 'your line comes up' },
      { head: 'First card', text: 'you press Call when you are ready' },
    ],
    anywhere: 'You can paste the link anywhere in this window.',
    page: 'Before you join',
    pageUnder: 'two minutes to your first call',
    items: {
      number: {
        title: 'Your own number stays yours',
        text: 'Calls go out on the organisation’s line. They cost you nothing, and nobody you ring can see your number.',
      },
      password: {
        title: 'No password',
        text: 'This computer makes its own key and keeps it in the system’s keyring. Your organiser can switch it off if the computer is lost.',
      },
      person: {
        title: 'One person at a time',
        text: 'You see who you are ringing and what you need to help them. When the call is done, the details go.',
      },
      sees: {
        title: 'What your organiser sees',
        text: 'Your name, when you are calling, your outcomes and your notes.',
      },
    },
    agree: 'By joining you agree to use these details for this campaign only.',
    problem: {
      'not-a-link': 'That is not an invitation link. It starts with ringround://join',
      damaged: 'A part of this link is missing. Copy the whole of it again.',
      unknown: 'The server does not know this link. Ask for a new one.',
      spent: (organiser: string) =>
        `This link was used on another computer. ${organiser} can send a new one: ask for it.`,
      expired: (organiser: string, date: string) =>
        `This link ended on ${date}. ${organiser} can send a new one: ask for it.`,
      unreachable: 'The server can’t be reached. Check your network, then join again.',
      untrusted: 'This is not the server the link names. Tell your organiser.',
      'update-app': 'This app is too old. Install the newest Ringround.',
      'update-server': 'The server is too old. Tell your organiser.',
      refused: (message: string) => message,
    },
  },

  invitation: {
    title: (host: string) => `Join ${host}?`,
    text: (organisation: string) =>
      `You are with ${organisation}; this computer will leave it. Only join if you asked for this link.`,
    lost: (n: number, organisation: string) =>
      n === 1
        ? `One outcome has not reached ${organisation} yet. It is sent once more; if that fails, it is lost.`
        : `${count(n)} outcomes have not reached ${organisation} yet. They are sent once more; what fails then is lost.`,
    stay: 'Stay',
    join: 'Leave and join',
  },

  start: {
    caption: 'Your campaign',
    facts: {
      organiser: (name: string) => `${name} runs this campaign`,
      line: 'Start only brings your line up',
      headset: 'A headset helps most',
    },
    foot: (volunteer: string) => `Signed in as ${volunteer}`,
    button: 'Start calling',
    busy: 'Starting',
    page: 'Before you start',
    lead: (volunteer: string) => `Hello, ${volunteer}. You see each person before you ring.`,
    items: {
      card: {
        title: 'See who is next',
        text: 'The card says who they are and what helps. The words to say are on this page.',
      },
      call: {
        title: 'Call, listen, speak',
        text: 'You hear it ring. When they pick up, they hear you at once.',
      },
      outcome: {
        title: 'Say how it went',
        text: 'Nine keys, the same on every screen. You can correct the last one.',
      },
      pause: {
        title: 'Stop when you like',
        text: 'Pause between calls, or finish. Your outcomes are kept even if your network drops.',
      },
    },
    foot2: 'Nothing is recorded by this app.',
  },

  waiting: {
    page: 'Why am I waiting?',
    caption: 'No call just now',
    line: {
      name: 'Your line is coming up',
      text: 'The first card follows as soon as sound gets through, usually after two or three seconds.',
      status: 'Opening your line',
      said: 'Your line is coming up, usually two or three seconds',
      whyTitle: 'Why the line comes first',
      why: 'The server calls this computer once, and the line stays up. Nobody you ring waits for you.',
    },
    nobody: {
      name: 'That is everyone for now',
      text: (again: number, when: string | null) =>
        again === 0 || when === null
          ? 'Nobody is left to ring.'
          : `Nobody is left to ring. ${count(again)} ${plural(again, 'person', 'people')} may be rung again from ${when}.`,
      said: (again: number, when: string | null) =>
        again === 0 || when === null
          ? 'That is everyone for now'
          : `That is everyone for now. ${count(again)} ${plural(again, 'person', 'people')} may be rung again from ${when}`,
      whyTitle: 'Stay, or finish',
      why: 'Everyone on the list has been rung, or is with another volunteer. Stay, and a card comes as soon as somebody is due.',
      button: 'Finish for today',
    },
    hours: {
      name: 'Outside calling hours',
      said: (when: string, today: boolean) =>
        `Calling starts again at ${when}. It is too ${today ? 'early' : 'late'} to ring people now`,
      whyTitle: 'Why nobody is rung now',
      why: 'People are rung only within the campaign’s calling hours. Leave this open: a card comes when they begin.',
      button: (when: string) => `Calling starts again at ${when}`,
    },
    passedOn: {
      name: 'The next card waits',
      text: (time: string) => `Many cards came in a short time. The next one comes at ${time}.`,
      said: (time: string) => `Many cards came in a short time. The next one comes at ${time}`,
      whyTitle: 'Why a card waits',
      why: 'Cards passed on, and calls you end before they can be answered, come back one a minute; all cards four a minute. It protects the list if a computer is stolen.',
      button: (time: string) => `Next card at ${time}`,
    },
    telephone: {
      name: 'No telephone just now',
      text: 'The server has lost its telephone line. It tries again by itself.',
      status: 'Calls wait until it is back',
      said: 'The server has lost its telephone line. Calls wait until it is back',
      whyTitle: 'Nothing is lost',
      why: 'Nobody was rung in vain. Usually it takes under a minute. If it lasts, tell your organiser.',
    },
    storage: {
      name: 'The server can’t save',
      text: 'Its disk is full or locked. It tries again by itself.',
      status: 'Calls wait until it can save',
      said: 'The server can’t save. Calls wait until it can',
      whyTitle: 'Why nobody is rung now',
      why: 'A call that could not be written down might be made twice. Tell your organiser. Outcomes are kept here.',
    },
  },

  paused: {
    caption: 'Nobody is rung',
    name: 'You are paused',
    text: 'Your line stays up. Come back when you like.',
    said: 'Paused',
    status: 'Paused',
    button: 'Back to calling',
    busy: 'Going back',
    byName: 'Campaign paused',
    by: (name: string) => `${name} paused this campaign`,
    bySaid: (name: string, message: string | null) =>
      message ? `${name} paused this campaign: “${message}”` : `${name} paused this campaign`,
    comes: 'A card comes by itself when it goes on.',
    waits: (name: string) => `Waiting for ${name}`,
    page: 'Paused',
    whyTitle: 'Take your time',
    why: 'Other volunteers go on calling. Nobody waits for you.',
    byWhy: 'You need do nothing. Calling goes on by itself.',
    foot: 'Everything so far is saved.',
  },

  finished: {
    caption: 'Your list',
    name: 'Finished for today',
    text: 'Your line is down. Start again whenever you like.',
    barred: 'Your line is down.',
    said: 'You have finished. Your line is down',
    page: 'Your calls',
    since: (time: string) => `since ${time}`,
    lead: (volunteer: string, people: number, spoke: number) =>
      people === 0
        ? `Thank you, ${volunteer}.`
        : `Thank you, ${volunteer}. You rang ${lower(count(people))} ${plural(people, 'person', 'people')} and spoke with ${lower(count(spoke))}.`,
    soFar: (people: number, spoke: number) =>
      `So far you rang ${lower(count(people))} ${plural(people, 'person', 'people')} and spoke with ${lower(count(spoke))}.`,
    saved: 'Everything is saved. Names and notes have left this computer.',
    kept: (n: number) =>
      n === 1
        ? 'One outcome is kept on this computer until the server has it.'
        : `${count(n)} outcomes are kept on this computer until the server has them.`,
    keeps: 'Outcomes and notes are kept on this computer until the server has them.',
    button: 'Start again',
  },

  status: {
    up: 'Your line is up',
    opening: 'Your line is coming up',
    down: 'Your line is resting',
    lost: 'Your line dropped',
    talking: 'Talking',
    reconnecting: 'Reconnecting',
    noMicrophone: 'No microphone.',
    noSpeaker: 'No loudspeaker.',
    callsWait: 'Calls wait until there is one',
    inLine: 'All lines to the telephone network are taken. Nobody is rung yet',
    callee: (name: string) => `${name} rang off`,
    volunteer: 'You hung up',
    cancelled: 'You cancelled the call',
    network: 'It did not go through',
    server: 'The call ended',
    unanswered: 'Nobody answered',
  },

  call: {
    call: (name: string) => `Call ${name}`,
    busy: (name: string) => `Calling ${name}`,
    inLine: 'In line',
    dialling: 'Dialling',
    ringing: 'Ringing',
    cancel: 'Cancel',
    cancelling: 'Cancelling',
    mute: 'Mute',
    muted: 'Muted',
    hangUp: 'Hang up',
    hangingUp: 'Hanging up',
    ended: 'How did it go?',
    endedUnder: 'Press a key below; the next card follows',
    saving: 'Saving',
    held: (name: string) => `${name} is held`,
    holds: 'for you',
    lineLost: 'Your line comes back by itself',
    noServer: 'Waiting for the server',
    useDevice: (name: string) => `Use ${name}`,
    plugMicrophone: 'Plug in a microphone',
    plugSpeaker: 'Plug in a headset',
    update: 'Update needed',
    serverOld: 'Server too old',
    skip: 'Skip',
    later: 'Later',
    pause: 'Pause',
    pausing: 'Pausing',
    finishing: 'Finishing',
  },

  keys: {
    before: 'One of these ends each call',
    after: 'after the call',
    title: 'Outcome',
    press: 'press to mark',
    marked: (outcome: string) => `${outcome}, saved after the call`,
    choose: 'press one',
    enter: 'Enter takes the marked one',
    saved: (name: string, outcome: string) => `${name}: ${lower(outcome)}, saved`,
    callsBack: (name: string, when: string) => `Call back: ${name}, ${when}`,
    kept: (name: string, outcome: string) => `${name}: ${lower(outcome)}, kept here`,
    passedOn: (name: string) => `Passed on: ${name}`,
    later: (name: string, when: string) => `Later: ${name}, ${when}`,
    correctIt: 'Correct it',
    correcting: (name: string) => `Correct ${name}`,
    unanswered: 'nobody answered: some don’t fit',
    leave: 'Leave it',
    label: (digit: number, outcome: string) => `${digit}, ${outcome}`,
    labelClosed: (digit: number, outcome: string) => `${digit}, ${outcome}, only where somebody answered`,
    keypad: 'Telephone keys',
    sent: (digits: string) => `Sent ${digits}`,
    back: 'Outcomes',
    star: 'Star',
    hash: 'Hash',
  },

  again: {
    later: (name: string) => `Ring ${name} later`,
    callback: (name: string) => `When to ring ${name} back`,
    hour: 'In an hour',
    at: (when: string) => `at ${when}`,
    notBefore: (when: string) => `not before ${when}`,
    hourUnknown: 'if people may be rung then',
    tomorrow: 'Tomorrow',
    tomorrowUnknown: 'when calling opens',
    cancel: 'Cancel',
  },

  never: {
    title: (name: string) => `Never ring ${name} again?`,
    text: 'Nobody here will ring this number again, on any list. You can’t take this back.',
    sure: 'Do not call',
    keep: 'Keep on the list',
  },

  devices: {
    title: 'Sound',
    microphones: 'Microphone',
    speakers: 'Loudspeaker',
    none: 'None found. Plug one in.',
    chosen: 'in use',
    close: 'Close',
  },

  script: {
    title: 'Script',
    step: (n: number, of: number) => `step ${n} of ${of}`,
    stepButton: (n: number) => `Step ${n}`,
    none: 'This campaign has no script. The card says what helps.',
    /** "press L" in a cue: the letter is drawn as the key it is. */
    keyInCue: /\b(press )([A-Z1-9#])(?![\p{L}\p{N}])/gu,
  },

  note: {
    button: 'Note',
    label: 'Note',
    placeholder: 'What should the next volunteer know?',
    other: 'What happened? Enter saves it',
    goes: 'goes with the outcome',
  },

  menu: {
    button: 'More',
    finish: 'Finish for today',
    sound: 'Microphone and loudspeaker',
    keys: 'All keys',
  },

  help: {
    title: 'All keys',
    alt: 'Each also works with Alt, in a text field too.',
    single: 'Single keys',
    singleWhy: 'Off, each key needs Alt. Better if you speak to your computer.',
    close: 'Close',
    rows: [
      ['Space', 'The big button: Join, Start, Call, Back to calling'],
      ['H', 'Hang up, or cancel while it rings'],
      ['1 to 9', 'Outcome: marks in a call, saves after it'],
      ['Enter', 'Take the outcome that is marked'],
      ['M', 'Mute'],
      ['#', 'Telephone keys, in a call'],
      ['N', 'Note'],
      ['S', 'Skip this person'],
      ['L', 'Later, or call back at a time'],
      ['X', 'Do not call'],
      ['U', 'Correct the last outcome'],
      ['P', 'Pause, and back to calling'],
      ['↑ ↓', 'Step through the script'],
      ['F6', 'Phone, page, header'],
      ['Esc', 'Close what is open'],
      ['?', 'This list'],
    ] as ReadonlyArray<readonly [string, string]>,
  },

  quality: {
    unknown: 'Sound not measured yet',
    good: 'Good sound',
    'some-lost': 'Some sound lost',
    poor: 'Poor sound',
    down: 'Line down',
    figures: (loss: number, jitter: number, roundTrip: number | null) =>
      `${loss.toFixed(1)} % lost, ${Math.round(jitter)} ms jitter` +
      (roundTrip === null ? '' : `, ${Math.round(roundTrip)} ms there and back`),
  },

  meter: { label: 'Microphone', speaking: 'Speaking', quiet: 'Quiet', loud: 'Too loud', muted: 'Muted' },

  trouble: {
    page: 'Not calling',
    how: 'How to go on',
    server: (organisation: string | null) => (organisation ? `${organisation}’s server` : 'the server'),
    revoked: {
      head: (organiser: string) => `This computer was switched off by ${organiser}.`,
      text: (organiser: string) => `Ask ${organiser} for a new link.`,
      said: (organiser: string) => `This computer was switched off by ${organiser}. Ask for a new link`,
      button: 'Use a new link',
      then: (organiser: string) => `${organiser} can send a new link. Press “Use a new link”, then paste it.`,
    },
    updateApp: {
      head: 'This app is too old for the server.',
      text: 'Install the newest Ringround, then open it again.',
      then: 'Install the newest Ringround, then open it again. You stay joined: no new link is needed.',
    },
    updateServer: {
      head: 'The server is too old for this app.',
      text: (organiser: string) => `Ask ${organiser} to update it.`,
      then: 'Nothing needs doing on this computer. Open it again later.',
    },
    untrusted: {
      head: 'This is not the server you joined.',
      text: (organiser: string) => `It could not prove that it is ${organiser}’s server. Tell ${organiser}.`,
      then: 'Someone on your network may be in between. Another network may help.',
    },
    lineLost: {
      head: (s: number) => `Your network dropped ${seconds(s)} ago.`,
      text: 'Stay here: your line comes back by itself.',
      said: (name: string) => `Line lost. ${name} is held. Stay here: your line comes back by itself`,
      saidIdle: 'Line lost. Stay here: your line comes back by itself',
      back: (name: string) => `You are back with ${name}`,
      backIdle: 'Your line is back',
    },
    serverIdle: {
      head: (server: string) => `We can’t reach ${server}.`,
      text: (s: number) => `Trying again in ${seconds(s)}. Nothing is lost.`,
      now: 'Trying again now. Nothing is lost.',
      button: 'Try now',
    },
    serverInCall: {
      head: 'Server not reachable.',
      text: 'Your call goes on. Answers are kept on this computer.',
    },
    serverBack: 'The server is back',
    noMicrophone: {
      head: 'No microphone.',
      text: 'Plug one in, or choose another. Calls wait until there is one.',
      button: 'Choose',
      back: 'Microphone found',
    },
    noSpeaker: {
      head: 'No loudspeaker.',
      text: 'Plug in a headset, or choose another. Calls wait until there is one.',
      button: 'Choose',
      back: 'Loudspeaker found',
    },
    tooQuiet: { head: 'We can’t hear you.', text: 'Is the headset muted?', button: 'Choose another' },
    noTelephone: {
      head: 'The server has no telephone line.',
      text: 'Calls wait until it is back. Nothing is lost.',
      back: 'The telephone line is back',
    },
    withoutSound: {
      head: 'Sound does not get through to the server.',
      text: (organiser: string) =>
        `Nobody is rung. Your network may hold back calls (UDP): try another one, or tell ${organiser}.`,
      back: 'Sound gets through now',
    },
    trunk: {
      refuses: (status: number | null) =>
        status === null ? 'The provider refuses calls.' : `The provider refuses calls (${status}).`,
      silent: 'The provider puts no call through.',
      number: 'The provider knows none of these numbers.',
      inSeconds: (s: number) => `Nobody was rung, nothing is lost. Tried again in ${seconds(s)}.`,
      at: (time: string) => `Nobody was rung, nothing is lost. Tried again at ${time}.`,
      soon: 'Nobody was rung, nothing is lost. Tried again as soon as somebody can.',
      yours: 'Your next call tries whether it is mended.',
      others: 'Another volunteer’s call tries whether it is mended.',
      button: 'Calls wait for the provider',
      back: 'Calls go out again',
    },
    serverStorage: {
      head: 'The server can’t save.',
      text: (organiser: string) => `Its disk is full or locked. Tell ${organiser}. Outcomes are kept here.`,
    },
    localStorage: {
      head: 'This computer can’t save.',
      text: 'Its disk is full or locked. Free some space, and keep this app open.',
    },
    keyringLocked: {
      head: 'Your keyring is locked.',
      text: 'Unlock it in the window that opened.',
    },
    noKeyring: {
      head: 'No keyring on this computer.',
      text: 'You stay signed in until you close the app.',
      details: 'What to do',
      then: 'Unlock it, or start one that offers the Secret Service, such as GNOME Keyring or KeePassXC.',
      button: 'Try again',
    },
    outcomeRefused: {
      head: (outcome: string, time: string) => `The server refused “${outcome}” of ${time}.`,
      text: (organiser: string) => `It is kept on this computer. Tell ${organiser}.`,
    },
    organiser: 'your organiser',
    close: 'Close',
    more: (n: number) => `${n} more`,
    moreLabel: (n: number) => `${count(n)} more ${plural(n, 'trouble', 'troubles')}, show the next`,
  },

  notice: {
    notRung: (message: string) => (/^not rung/i.test(message) ? message : `Not rung: ${lower(message)}`),
    leaseLost: 'That card went to somebody else. The next card is ready',
    savedHere: 'Saved on this computer, sent when the server is back',
    lineBack: (name: string) => `You are back with ${name}`,
    lineBackIdle: 'Your line is back',
    doNotCall: (name: string) => `${name} will not be rung again, by anyone here`,
    inCall: 'You are in a call. Hang up first, then close the window',
    wrongNumber: (name: string) => `Marked as a wrong number. Nobody will ring it again for ${name}`,
    refused: (message: string) => message,
  },

  said: {
    inLine: (name: string) => `Waiting for a free line to call ${name}`,
    calling: (name: string) => `Calling ${name}`,
    next: (name: string, flag: string | null) => (flag ? `Next, ${name}, ${lower(flag)}` : `Next, ${name}`),
    saved: (outcome: string) => `${outcome} saved`,
    savedFor: (outcome: string, when: string) => `${outcome} at ${when}, saved`,
    corrected: (outcome: string) => `Corrected: ${lower(outcome)}`,
    correctedFor: (outcome: string, when: string) => `Corrected: ${lower(outcome)} at ${when}`,
    ended: (how: string) => `${how}. How did it go? 1 to 9`,
    muted: 'Muted',
    unmuted: 'Unmuted',
    join: (sentence: string, more: string) => `${sentence}. ${more}`,
  },

  when: {
    tomorrow: (time: string) => `${time} tomorrow`,
    onDay: (time: string, day: string) => `${time} on ${day}`,
    onDate: (time: string, day: number, month: string) => `${time} on ${day} ${month}`,
    theirs: (own: string, time: string, place: string) => `${own} (${time} in ${place})`,
    date: (day: number, month: string) => `${day} ${month}`,
    dateOfYear: (day: number, month: string, year: number) => `${day} ${month} ${year}`,
    days: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
    months: [
      'January',
      'February',
      'March',
      'April',
      'May',
      'June',
      'July',
      'August',
      'September',
      'October',
      'November',
      'December',
    ],
  },
};
