// Loaded into a process by a test: each SIGUSR2 sets its wall clock to the next of these hours away from the true time.
const hours = [1, -1, 0];
const TrueDate = Date;
let offsetMs = 0;
process.on("SIGUSR2", () => {
	offsetMs = (hours.shift() ?? 0) * 3_600_000;
});
globalThis.Date = class extends TrueDate {
	constructor(...given) {
		if (given.length === 0) super(TrueDate.now() + offsetMs);
		else super(...given);
	}

	static now() {
		return TrueDate.now() + offsetMs;
	}
};
