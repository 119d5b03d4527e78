/** The panel: a page of its own in a frame, so that the host's page and it cannot touch each other. */
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { awaitParent } from './parent.ts'
import { Room } from './room.ts'

const parent = await awaitParent()
createRoot(document.querySelector('#panel')!).render(<App room={new Room(parent)} />)
parent.tell({ type: 'ready' })
