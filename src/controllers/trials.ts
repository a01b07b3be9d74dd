import type { Clock } from "../lib/clock.ts";
import type { KeyedForm } from "./keyed-form.ts";

/** Forms that proxies of some software get together, while others wait. */
export interface Trial {
	readonly forms: readonly KeyedForm[];
	readonly software: string;
	readonly type: string;
}

/** Longest wait for a verdict on what was let in; a proxy that is gone gives none. Milliseconds. */
const trialMs = 5000;

/** What is tried on the proxies of one software, one group after the other. */
interface Course {
	/** Content of forms that wait for their turn, by object. */
	readonly suspended: Map<string, string>;
	readonly queue: Trial[];
	running: (Trial & { readonly cancel: () => void }) | undefined;
}

/**
 * Finds which of several objects proxies of a software refuse: half of them are
 * let in among what is proven, the other half waits, and what is refused is
 * halved again. What others have is not touched.
 */
export class Trials {
	readonly #clock: Clock;
	readonly #isOver: () => void;
	readonly #courses = new Map<string, Course>();

	/** @param isOver is called when a trial has taken too long */
	constructor(clock: Clock, isOver: () => void) {
		this.#clock = clock;
		this.#isOver = isOver;
	}

	/** Software for which this form waits for its turn. */
	suspendedFor(key: string, content: string): readonly string[] {
		const software: string[] = [];
		for (const [one, { suspended }] of this.#courses)
			if (suspended.get(key) === content) software.push(one);
		return software;
	}

	/** Keys of objects of which a form waits for its turn. */
	get suspended(): ReadonlySet<string> {
		const keys = new Set<string>();
		for (const { suspended } of this.#courses.values())
			for (const key of suspended.keys()) keys.add(key);
		return keys;
	}

	/** Begins with the first group; the second has its turn when the first is through. */
	begin(trial: Trial, second: readonly KeyedForm[]): void {
		const { software, type } = trial;
		const course = this.#courseOf(software);
		this.#end(course);
		for (const { key, content } of second) course.suspended.set(key, content);
		course.queue.unshift({ forms: second, software, type });
		this.#start(course, trial);
	}

	/** It is known who is to blame: the trial of one of these objects is over. */
	endOf(software: string, forms: readonly KeyedForm[]): void {
		const keys = new Set(forms.map(({ key }) => key));
		const course = this.#courses.get(software);
		if (course?.running?.forms.some(({ key }) => keys.has(key)))
			this.#end(course);
	}

	/** Ends the trials all of whose forms are proven; answers whether there was one. */
	endProven(isProven: (form: KeyedForm, trial: Trial) => boolean): boolean {
		let isOver = false;
		for (const course of this.#courses.values()) {
			const { running } = course;
			if (!running?.forms.every((form) => isProven(form, running))) continue;
			this.#end(course);
			isOver = true;
		}
		return isOver;
	}

	/** Lets the next groups in where none is being tried; answers whether there was one. */
	next(): boolean {
		let isNew = false;
		for (const [software, course] of this.#courses) {
			if (course.running !== undefined) continue;
			const next = course.queue.shift();
			if (next === undefined) {
				this.#courses.delete(software);
				continue;
			}
			const forms = next.forms.filter(
				({ key, content }) => course.suspended.get(key) === content,
			);
			for (const { key } of forms) course.suspended.delete(key);
			this.#start(course, { ...next, forms });
			isNew = true;
		}
		return isNew;
	}

	/** The object is gone. */
	forget(key: string): void {
		for (const { suspended } of this.#courses.values()) suspended.delete(key);
	}

	[Symbol.dispose](): void {
		for (const course of this.#courses.values()) this.#end(course);
	}

	#courseOf(software: string): Course {
		let course = this.#courses.get(software);
		if (course === undefined) {
			course = { suspended: new Map(), queue: [], running: undefined };
			this.#courses.set(software, course);
		}
		return course;
	}

	#start(course: Course, trial: Trial): void {
		const cancel = this.#clock.after(trialMs, () => {
			this.#end(course);
			this.#isOver();
		});
		course.running = { ...trial, cancel };
	}

	#end(course: Course): void {
		course.running?.cancel();
		course.running = undefined;
	}
}
