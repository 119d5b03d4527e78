/**
 * The look of launcher and frame. It lives in a shadow tree, where the page's selectors do not reach; the host element alone is in the
 * page's hands, and there an `!important` of the shadow tree wins over any of the page. Lengths are px, as rem is the page's.
 */
export const styles = `
:host {
  all: initial !important;
  position: fixed !important;
  z-index: 2147483647 !important;
  inset: auto 0 0 auto !important;
  width: 0 !important;
  height: 0 !important;
  direction: ltr !important;
  unicode-bidi: isolate !important;
  display: block !important;
}
:host([data-side=left]) { inset: auto auto 0 0 !important }
button {
  all: unset;
  position: fixed;
  z-index: 1;
  bottom: calc(20px + env(safe-area-inset-bottom, 0px));
  right: calc(20px + env(safe-area-inset-right, 0px));
  width: 56px;
  height: 56px;
  border-radius: 20px;
  background: var(--color);
  color: var(--ink);
  cursor: pointer;
  box-shadow: inset 0 0 0 1px rgb(255 255 255 / .14), 0 1px 2px rgb(15 20 18 / .18), 0 8px 24px -6px rgb(15 20 18 / .36);
  -webkit-tap-highlight-color: transparent;
  touch-action: manipulation;
  transition: transform .18s cubic-bezier(.2, .8, .3, 1), box-shadow .18s;
}
:host([data-side=left]) button { right: auto; left: calc(20px + env(safe-area-inset-left, 0px)) }
button:hover { transform: translateY(-2px) }
button:active { transform: scale(.95) }
button:focus-visible { outline: 3px solid var(--color); outline-offset: 3px; box-shadow: 0 0 0 3px #fff }
svg { position: absolute; inset: 14px; width: 28px; height: 28px; fill: none; stroke: currentColor; stroke-width: 1.9;
  stroke-linecap: round; stroke-linejoin: round; transition: opacity .16s, transform .2s }
.shut { opacity: 0; transform: rotate(-45deg) scale(.6) }
:host([data-open]) .shut { opacity: 1; transform: none }
:host([data-open]) .talk { opacity: 0; transform: rotate(45deg) scale(.6) }
.badge {
  position: absolute;
  top: -6px;
  right: -6px;
  box-sizing: border-box;
  min-width: 22px;
  height: 22px;
  padding: 0 6px;
  border-radius: 11px;
  background: #d3302f;
  color: #fff;
  box-shadow: 0 0 0 2px #fff;
  font: 700 12px/22px system-ui, -apple-system, "Apple SD Gothic Neo", "Malgun Gothic", sans-serif;
  font-variant-numeric: tabular-nums;
  text-align: center;
}
.badge:empty { display: none }
.status { position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
iframe {
  all: unset;
  position: fixed;
  bottom: calc(92px + env(safe-area-inset-bottom, 0px));
  right: calc(20px + env(safe-area-inset-right, 0px));
  width: 384px;
  max-width: calc(100vw - 40px);
  height: min(640px, 100vh - 124px);
  height: min(640px, 100dvh - 124px);
  border-radius: 20px;
  background: var(--paper);
  box-shadow: 0 0 0 1px rgb(15 20 18 / .08), 0 2px 8px rgb(15 20 18 / .08), 0 24px 64px -12px rgb(15 20 18 / .34);
  visibility: hidden;
  opacity: 0;
  transform: translateY(12px) scale(.985);
  transform-origin: 100% 100%;
  transition: opacity .16s, transform .22s cubic-bezier(.2, .8, .3, 1), visibility 0s .22s;
}
:host([data-side=left]) iframe { right: auto; left: calc(20px + env(safe-area-inset-left, 0px)); transform-origin: 0 100% }
:host([data-open]) iframe { visibility: visible; opacity: 1; transform: none; transition-delay: 0s }
@media (max-width: 480px) {
  :host([data-open]) iframe, iframe, :host([data-side=left]) iframe {
    inset: var(--top, 0px) 0 auto 0;
    width: 100%;
    max-width: none;
    height: var(--height, 100vh);
    height: var(--height, 100dvh);
    border-radius: 0;
    box-shadow: none;
  }
  :host([data-open]) button { visibility: hidden }
}
@media (prefers-reduced-motion: reduce) {
  button, svg, iframe { transition: none !important }
  button:hover, button:active { transform: none }
}
@media print { :host { display: none !important } }
`
