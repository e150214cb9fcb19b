// Looking again and again: at an even pace, slower while nobody answers, not at all while nobody looks at the page.

import { Refused, said } from "./api.js";

const EVERY_MS = 2000;
const SLOWEST_MS = 10000;

export class Poller {
  /**
   * @param look asks for everything; called with the number of the turn.
   * @param tell is told the state (live, lost, limited, locked, away) and what is wrong.
   */
  constructor(look, tell) {
    this.look = look;
    this.tell = tell;
    this.turn = 0;
    this.pauseMs = EVERY_MS;
    this.timer = null;
    this.isLooking = false;
    this.isWanted = false;
    document.addEventListener("visibilitychange", () => this.seen());
  }

  /** Look now, and go on from here. A look under way is followed by another one. */
  now() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    if (this.isLooking) this.isWanted = true;
    else void this.round();
  }

  seen() {
    if (document.hidden) {
      clearTimeout(this.timer);
      this.tell("away", "");
    } else {
      this.turn = 0;
      this.now();
    }
  }

  async round() {
    this.isLooking = true;
    this.isWanted = false;
    let next = EVERY_MS;
    try {
      await this.look(this.turn);
      this.turn += 1;
      this.pauseMs = EVERY_MS;
      this.tell("live", "");
    } catch (error) {
      next = this.after(error);
    } finally {
      this.isLooking = false;
    }
    if (next === null || document.hidden) return;
    if (this.isWanted) void this.round();
    else this.timer = setTimeout(() => this.now(), next);
  }

  /** How long to wait after an error; null waits for a person. */
  after(error) {
    this.turn = 0;
    if (error instanceof Refused && error.status === 401) {
      this.tell("locked", error.message, error.code);
      return null;
    }
    if (error instanceof Refused && error.status === 429) {
      this.tell("limited", error.message);
      return Math.max(EVERY_MS, (error.retryAfterS ?? 5) * 1000);
    }
    this.tell("lost", said(error));
    this.pauseMs = Math.min(SLOWEST_MS, this.pauseMs * 1.5);
    return this.pauseMs;
  }
}
