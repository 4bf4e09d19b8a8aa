/** Takes the focus to the first button of a panel, and gives it back where it was when the panel goes. */
export function holdsFocus(panel: HTMLElement): () => void {
  const before = document.activeElement;
  panel.querySelector<HTMLElement>('button')?.focus();
  return () => {
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
}
