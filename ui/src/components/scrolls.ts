/**
 * What can be scrolled can be reached by the keyboard, and nothing else is a stop on its way. `data-more`
 * says that something stands below.
 */
export function scrolls(box: HTMLElement): (() => void) | undefined {
  if (!('ResizeObserver' in window)) return;
  const still = box.tabIndex;
  const look = () => {
    const over = box.scrollHeight > box.clientHeight;
    if (over) box.tabIndex = 0;
    else if (box.hasAttribute('data-region')) box.tabIndex = still;
    else box.removeAttribute('tabindex');
    box.toggleAttribute('data-more', over && box.scrollTop + box.clientHeight < box.scrollHeight - 4);
  };
  const watch = new ResizeObserver(look);
  const observe = () => {
    watch.disconnect();
    watch.observe(box);
    for (const child of box.children) watch.observe(child);
  };
  const grown = new MutationObserver(observe);
  grown.observe(box, { childList: true });
  box.addEventListener('scroll', look, { passive: true });
  observe();
  return () => {
    watch.disconnect();
    grown.disconnect();
    box.removeEventListener('scroll', look);
  };
}
