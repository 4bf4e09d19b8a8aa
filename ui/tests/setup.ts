import { afterEach } from 'vitest';
import { closeAll } from './window';

// jsdom has no canvas; axe asks for one even where contrast is not measured.
HTMLCanvasElement.prototype.getContext = () => null;

afterEach(() => {
  closeAll();
  localStorage.clear();
});
