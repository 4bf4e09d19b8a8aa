import { en } from './en';

/** Every text on the screen; another language has the same keys. */
export type Words = typeof en;

/** The words in use. Set once, before the page is drawn. */
export let t: Words = en;

/** Takes other words, such as longer ones that show whether the layout has room. */
export function speak(words: Words): void {
  t = words;
}
