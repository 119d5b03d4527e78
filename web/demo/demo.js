// What a host's page does: it asks its own back end for a token (here /api/generate-token, which development alone answers to anybody).
// `?as=` names the visitor.
const { name, ...given } = document.currentScript.dataset
const username = new URLSearchParams(location.search).get('as') || name

async function token() {
  const answer = await fetch('/api/generate-token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, projectId: 'demo' }),
  })
  return (await answer.json()).token
}

const script = document.createElement('script')
script.src = '/widget.js'
script.addEventListener('load', () => Madang.init({ project: 'demo', token, ...given }))
document.head.append(script)
