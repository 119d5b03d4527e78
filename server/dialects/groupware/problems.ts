/** Errors in this door's shape (P2): h3's, `{error, url, statusCode, statusMessage, message}`, the message in Korean, whoever made them (A3). */
import { STATUS_CODES } from 'node:http'
import { toChatError, type ChatError, type ErrorCode } from '../../core/errors.ts'
import type { Answer, ErrorShape, Place, Problem, ProblemKind } from '../../http/problems.ts'
import { errorHeaders, errorStatuses } from '../door.ts'
import type { Failure } from './wire.ts'

/** `/api/auth/tokens` is another door's. */
const ownPaths = /^\/(?:api\/(?:chats|auth(?!\/tokens(?:\/|$))|departments|org|users)|uploads)(?:\/|$)/

/** Files are given out in this door's manner, at whichever door they are shown (A16). */
export function ownsPath(path: string): boolean {
  return ownPaths.test(path)
}

export const groupwareShape: ErrorShape = { name: 'groupware', owns: ownsPath, toAnswer }

/** M4: there is no such room, or he may not see it: the contract says 403 for both. */
const exceptions: Partial<Record<ErrorCode, number>> = { room_not_found: 403, username_taken: 409, email_taken: 409 }

const noMember = '채팅방 멤버가 아닙니다.'

const texts: Record<ErrorCode, string> = {
  invalid_field: '요청 값이 올바르지 않습니다.',
  text_empty: '메시지 내용이 비어 있습니다.',
  text_too_long: '내용이 너무 깁니다.',
  invalid_key: 'Idempotency-Key 값이 올바르지 않습니다.',
  username_taken: '이미 사용 중인 아이디입니다.',
  email_taken: '이미 사용 중인 이메일입니다.',
  owner_stays: '서버 소유자는 나갈 수 없습니다.',
  last_admin: '다른 멤버가 있는 동안에는 마지막 관리자를 해제할 수 없습니다.',
  too_many_reactions: '메시지 하나에 남길 수 있는 반응은 20종류까지입니다.',
  already_a_member: '이미 채팅방 멤버입니다.',
  key_conflict: '같은 Idempotency-Key로 다른 요청을 보냈습니다.',
  room_exists: '이미 있는 채팅방입니다.',
  room_closing: '채팅방이 닫히는 중입니다.',
  unauthenticated: '로그인이 필요합니다.',
  bad_credentials: '인증 정보가 올바르지 않습니다.',
  wrong_password: '아이디 또는 비밀번호가 올바르지 않습니다.',
  forbidden: '권한이 없습니다.',
  not_a_member: noMember,
  not_the_author: '작성자만 메시지를 바꿀 수 있습니다.',
  registration_closed: '회원 가입을 받지 않습니다.',
  room_not_found: noMember,
  space_not_found: '서버를 찾을 수 없습니다.',
  user_not_found: '사용자를 찾을 수 없습니다.',
  member_not_found: '멤버를 찾을 수 없습니다.',
  message_not_found: '메시지를 찾을 수 없습니다.',
  too_many: '요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.',
  unavailable: '지금은 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.',
  ids_exhausted: '더 이상 메시지를 저장할 수 없습니다.',
}

const problemAnswers: Record<Exclude<ProblemKind, 'thrown' | 'validation'>, [status: number, text: string]> = {
  not_found: [404, '찾을 수 없습니다.'],
  method_not_allowed: [405, '허용되지 않는 메서드입니다.'],
  bad_request: [400, '잘못된 요청입니다.'],
  bad_body: [400, '요청 본문을 읽을 수 없습니다.'],
  bad_encoding: [400, '요청 본문이 UTF-8이 아닙니다.'],
  too_large: [413, '요청이 너무 큽니다.'],
  unsupported: [415, '지원하지 않는 형식입니다.'],
  upgrade_required: [426, '업그레이드가 필요합니다.'],
  too_many: [429, texts.too_many],
  unavailable: [503, texts.unavailable],
  internal: [500, '서버 오류가 발생했습니다.'],
}

/** Null for what is no error of the chat. */
function toAnswer(problem: Problem, place: Place): Answer | null {
  if (problem.kind === 'thrown') {
    const error = toChatError(problem.error)
    return error && encodeError(error, place)
  }
  if (problem.kind === 'validation') return fail(place, 400, withField(texts.invalid_field, problem.issues?.[0]?.path ?? []))
  return fail(place, ...problemAnswers[problem.kind])
}

function encodeError(error: ChatError, place: Place): Answer {
  const { code, kind, field } = error
  const text = withField(texts[code], field === undefined ? [] : [field])
  return { ...fail(place, exceptions[code] ?? errorStatuses[kind], text), headers: errorHeaders(error) }
}

/** A path may hold keys that the sender made up: no more of it than helps. */
function withField(text: string, path: (string | number)[]): string {
  return path.length === 0 ? text : `${text} (${path.join('.').slice(0, 60).toWellFormed()})`
}

function fail({ path }: Place, statusCode: number, message: string): Answer {
  // The reason phrase stays ASCII: it is HTTP's own.
  const statusMessage = STATUS_CODES[statusCode] ?? 'Error'
  const body: Failure = { error: true, url: path, statusCode, statusMessage, message }
  return { status: statusCode, body }
}
