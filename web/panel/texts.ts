/** Every word that the panel says. */
import type { Locale } from '../protocol.ts'

const ko = {
  heading: '채팅',
  close: '채팅 닫기',
  log: '대화 내용',
  standing: {
    signedOut: '로그인이 필요해요',
    connecting: '연결하는 중…',
    online: '연결되었어요',
    offline: '연결이 끊겼어요',
    expired: '로그인이 만료되었어요',
    refused: '들어갈 수 없어요',
  },
  banner: {
    offline: '연결이 끊겼어요. 다시 연결하고 있어요.',
    expired: '로그인이 만료되었어요. 페이지를 새로고침해 주세요.',
    refused: '이 대화에 들어갈 수 없어요. 페이지를 새로고침해 주세요.',
  },
  empty: { title: '아직 나눈 이야기가 없어요', text: '첫 인사를 건네 보세요.' },
  signedOut: { title: '로그인하고 함께 이야기해요', text: '로그인하면 바로 대화할 수 있어요.' },
  loadingOlder: '이전 대화를 불러오는 중…',
  beginning: '대화의 시작이에요',
  divider: '여기부터 새 메시지',
  newest: '새 메시지 보기',
  toEnd: '맨 아래로',
  field: '메시지 입력',
  placeholder: '메시지를 입력하세요',
  send: '보내기',
  sending: '보내는 중',
  waiting: '연결되면 보낼게요',
  failed: '보내지 못했어요',
  retry: '다시 보내기',
  discard: '지우기',
  me: '나',
  left: (count: number) => (count < 0 ? `${-count}자 넘었어요` : `${count}자 남음`),
}

const en: typeof ko = {
  heading: 'Chat',
  close: 'Close chat',
  log: 'Conversation',
  standing: {
    signedOut: 'Not signed in',
    connecting: 'Connecting…',
    online: 'Connected',
    offline: 'Connection lost',
    expired: 'Signed out',
    refused: 'No access',
  },
  banner: {
    offline: 'Connection lost. Trying to reconnect.',
    expired: 'Your sign-in has expired. Please reload the page.',
    refused: 'This chat could not be joined. Please reload the page.',
  },
  empty: { title: 'No messages yet', text: 'Be the first to say hello.' },
  signedOut: { title: 'Sign in to join the chat', text: 'Once you are signed in you can talk right away.' },
  loadingOlder: 'Loading earlier messages…',
  beginning: 'This is where the chat begins',
  divider: 'New messages',
  newest: 'New messages',
  toEnd: 'To the end',
  field: 'Message',
  placeholder: 'Write a message',
  send: 'Send',
  sending: 'Sending',
  waiting: 'Will be sent once connected',
  failed: 'Not sent',
  retry: 'Try again',
  discard: 'Discard',
  me: 'You',
  left: (count: number) => (count < 0 ? `${-count} too many` : `${count} left`),
}

export type Texts = typeof ko

export const textsOf: Record<Locale, Texts> = { ko, en }
