/** What the contracts of the doors, and the decisions beside them, promise: in short words, each with the rule that tests name. */

export interface Sentence {
  /** As it stands in titles: `[A1]`. */
  rule: string
  says: string
}

const feed: Sentence[] = [
  {
    rule: 'F1',
    says: 'POST messages and members 201, read 200, DELETE 200; errors {success:false, error} with the printed texts; 426 for a plain GET on the socket',
  },
  { rule: 'F2', says: 'a body is JSON whatever its Content-Type; a POST may come before the socket is up' },
  {
    rule: 'F3',
    says: 'GET /ws/chat/:roomId?user_id= : one object a frame, keys type, room_id, user_id, data; what the client sends is ignored',
  },
  { rule: 'F4', says: 'member_online to oneself, and to the others with the first socket; member_offline 3 s after the last' },
  {
    rule: 'F5',
    says: 'message, read, member_join, member_leave as printed; message_type, file_url, is_read, user, unread_count, last_read_at; times in whole seconds',
  },
  { rule: 'F6', says: 'additions: make and list rooms, a room, its members and messages, users' },
  { rule: 'F7', says: '&since= asks for cursors; replay, then who is online, the own one last; reload' },
]

const guild: Sentence[] = [
  { rule: 'G1', says: "FastAPI's manners: 422 details, {detail}, 401 with WWW-Authenticate, 404, 405" },
  { rule: 'G2', says: 'the printed texts; first 404, then owner rules, then membership' },
  {
    rule: 'G3',
    says: '/auth/register, /users/me, /users/{id}, /servers, join, leave, /channels: fields and success codes; PUT leaves absent and null alone; detail has channels',
  },
  { rule: 'G4', says: 'GET /channels/{id}/messages ?limit=50&offset=0, newest first' },
  { rule: 'G5', says: 'times in UTC without a zone, microseconds, none when zero' },
  { rule: 'G6', says: '/servers and /servers/ without a redirect; login is a form; sub is the username' },
  {
    rule: 'G7',
    says: 'WS /ws/{channel_id}?token= : 403 before 101; early frames are kept; {content} or plain text; to everyone; key and since',
  },
  { rule: 'G8', says: "passlib's hashes; over 72 bytes a 422; /docs, /redoc, /openapi.json without the internet" },
]

const groupware: Sentence[] = [
  { rule: 'P1', says: 'bearer or cookie auth-token; /api/auth/{login,me,logout,permissions}, /api/departments, /api/org/tree' },
  { rule: 'P2', says: 'errors {error, url, statusCode, statusMessage, message}, in Korean; every success is 200' },
  { rule: 'P3', says: 'GET /api/chats/stream: unnamed frames, connected, ping, ids; resumed and reload; nothing buffers it' },
  { rule: 'P4', says: 'message, read, conversation, to all members, the actor too; invited and left; edits and deletions' },
  { rule: 'P5', says: 'the fields of a message, in answers, events and lists; names; sender_id is never 0' },
  {
    rule: 'P6',
    says: 'content is cut at 2000; days, limit, before, after are clamped; around ascends, search descends; members',
  },
  { rule: 'P7', says: 'times in ISO with milliseconds and Z; texts in Asia/Seoul' },
  { rule: 'P8', says: 'the fields and the order of conversations' },
  { rule: 'P9', says: 'read, leave, invite, start, start-group: what they count, keep, leave out and refuse' },
  { rule: 'P10', says: 'POST without a body; attach: multipart as it comes, /uploads, limits, nothing left over' },
  { rule: 'P11', says: 'search: literal wildcards, case, NFC and NFD, two syllables' },
  { rule: 'P12', says: "departments and people by a service key or in development; development's organisation" },
]

const widget: Sentence[] = [
  {
    rule: 'W1',
    says: 'stock socket.io-client with auth {token}, polling, upgrade, another origin; socket.io.js; HS256 with four claims',
  },
  {
    rule: 'W2',
    says: 'connect_error in a few words; exp ends; 429 and 503 before socket.io; no DISCONNECT for who may come back',
  },
  {
    rule: 'W3',
    says: 'one history on every connect, the latest 50, oldest first; chat message to all; edited and deleted as events',
  },
  { rule: 'W4', says: 'only texts with something in them, 4,000 at most; ack {id} or {error}; {key}' },
  { rule: 'W5', says: 'POST /api/generate-token: {token} for 24 h; 400 {error}' },
  { rule: 'W6', says: 'JWT_SECRET or PROJECT_SECRETS, *; ALLOWED_ORIGINS' },
  { rule: 'W7', says: 'the embed: one script tag; nothing of either page changes the other; the token by postMessage alone' },
  { rule: 'W8', says: 'auth.since: an id or a cursor; exactly what came after, 500 at most; edits and deletions; reload' },
  { rule: 'W9', says: 'guests: authors and no members, in no list; guest:<projectId>:<username>; GET /api/projects/{projectId}' },
  { rule: 'W10', says: 'older {before}: the 50 before it, oldest first' },
]

const chatroom: Sentence[] = [
  {
    rule: 'C1',
    says: 'GET /chat names no room; connect binds sockets, for 30 s after the last; history of 20; nobody becomes a participant',
  },
  {
    rule: 'C2',
    says: 'a token also stands in the registry: 401 as printed, 503, 4001; Redis keys; POST and DELETE /api/auth/tokens',
  },
  { rule: 'C3', says: 'frames as text or binary; their types; key and sent; invalid_frame, room_required, forbidden, too_long' },
  {
    rule: 'C4',
    says: 'errors {error, message}; 201 for rooms and messages, else 200 with what was changed; times; createdAt is echoed',
  },
  { rule: 'C5', says: 'participants in order; three make an admin; edited_name is the name to show' },
  { rule: 'C6', says: 'who may do what in a room by ranks, and in one without an admin' },
  { rule: 'C7', says: 'default names from the user service, else from the users table' },
  { rule: 'C8', says: 'additions: list and read rooms, pages of messages, taking reactions back' },
  { rule: 'C9', says: 'comments in bodies, bodies of DELETE, any Content-Type' },
  {
    rule: 'C10',
    says: 'creating, active, idle, closing, closed; one state for all nodes; 409 room_closing; errors end one Room',
  },
  { rule: 'C11', says: 'log lines as printed, rotation, outlets' },
  { rule: 'C12', says: '?since= asks for cursors: what was missed in each bound room, or reload' },
]

const everyDoor: Sentence[] = [
  { rule: 'A1', says: 'one room is one room at every door, in one order' },
  {
    rule: 'A2',
    says: 'ids are numbers from 1; message ids rise, are unique and at most MESSAGE_ID_MAX; made-up ids are never given again',
  },
  { rule: 'A3', says: "errors in the shape of the path's door, also a framework's; 405 with Allow; never a 5xx for bad input" },
  { rule: 'A4', says: 'UTF-8; U+0000, lone surrogates and broken UTF-8 are refused; text is kept to the byte' },
  { rule: 'A5', says: 'CORS for any page or ALLOWED_ORIGINS; when a cookie counts' },
  { rule: 'A6', says: 'no token in a log line, a metric or an error' },
  { rule: 'A7', says: 'a cursor brings exactly what was missed, once, in order, or a reload' },
  { rule: 'A8', says: 'client keys make a retry harmless; 409 for another body' },
  { rule: 'A9', says: "account tokens: where they stand, whose accounts they open, a host's, deactivated, projectId" },
  { rule: 'A10', says: 'one login for two contracts: both cookies, HttpOnly, SameSite=Lax; logout clears them' },
  { rule: 'A11', says: "a channel has its server's members; adding and removing is joining and leaving" },
  { rule: 'A12', says: 'limits on rates with 429 and Retry-After; frames wait; two hashes at once; service keys have none' },
  { rule: 'A13', says: 'who may change a room, the same at every door' },
  { rule: 'A14', says: 'a deleted message is nowhere; feed and guild say nothing of edits and deletions' },
  { rule: 'A15', says: 'ends: 4001, 4003, 1012, 1013; a revoked token is a 401' },
  { rule: 'A16', says: 'file_url: http, https or /uploads/; shown by name where a door has no files' },
  { rule: 'A17', says: 'lengths, bodies 256 KiB, frames 64 KiB, limit and offset' },
  { rule: 'A18', says: 'names, made-up users, an unknown user to be added is a 404 after 403 is decided' },
  { rule: 'A19', says: "presence per user and room; a post moves its author's marker, which shows no read" },
]

const modes: Sentence[] = [
  {
    rule: 'M1',
    says: 'production is the default and refuses weak secrets and a development database; one server per embedded database',
  },
  {
    rule: 'M2',
    says: 'development: printed examples work, identities are believed, users and rooms are made up; a bad credential is a 401',
  },
  { rule: 'M3', says: "production: 401 without, 403 with another's identity; service keys act for anyone" },
  { rule: 'M4', says: 'a missing room and one that may not be seen: 404 and 403 as the contract prints' },
]

export const sentences: Sentence[] = [...feed, ...guild, ...groupware, ...widget, ...chatroom, ...everyDoor, ...modes]
