"""A reranking of one query as a dialogue: it yields questions, is sent the answers, and returns scores.

Dialogues of many queries run in lockstep, so that questions are asked in batches although each depends on the one
before.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from headrank.engine.backbone import Backbone
from headrank.generative.answers import Ids
from headrank.generative.chat import Chat
from headrank.generative.generate import Answer, Ask, ask_model, check_answer, check_length
from headrank.generative.settings import GenerativeSettings
from headrank.process.progress import progress


@dataclass(frozen=True)
class Query:
    """What a dialogue knows: the query's and its passages' token ids (with a leading blank, in first-stage order).

    question: the query as a text.
    """

    qid: str
    question: str
    text: Ids
    passages: tuple[Ids, ...]
    chat: Chat
    settings: GenerativeSettings


@dataclass(frozen=True)
class Called:
    """One call to the model: how long the prompt was, how many passages it held, the answer, and its formatting.

    usable: the answer is one of those asked for, or names a passage.
    """

    prompt_tokens: int
    documents: int
    answer: Answer
    complete: bool
    well_formed: bool
    usable: bool = True


Task = Generator[list[Ask], list[Answer], tuple[list[float], list[Called]]]


def hold(
    backbone: Backbone, tasks: Sequence[tuple[str, Task]], batch_tokens: int, name: str
) -> list[tuple[list[float], list[Called]]]:
    """Run dialogues (query id, task) to their ends: per task the candidates' scores and the calls that it made.

    Raises InputError, naming the query, for a prompt that is too long and for answers from numbers that are not finite.
    """
    results: list[tuple[list[float], list[Called]] | None] = [None] * len(tasks)
    waiting: dict[int, list[Ask]] = {}

    def go_on(place: int, answers: list[Answer] | None) -> None:
        task = tasks[place][1]
        try:
            waiting[place] = next(task) if answers is None else task.send(answers)
        except StopIteration as end:
            results[place] = end.value
            waiting.pop(place, None)
            bar.update()
            return
        for ask in waiting[place]:
            check_length(backbone, ask, tasks[place][0])

    with progress(len(tasks), name, "query", disable=len(tasks) == 1) as bar:
        for place in range(len(tasks)):
            go_on(place, None)
        while waiting:
            asked = list(waiting.items())
            answers = iter(ask_model(backbone, [ask for _, asks in asked for ask in asks], batch_tokens))
            for place, asks in asked:
                own = [next(answers) for _ in asks]
                for ask, answer in zip(asks, own, strict=True):
                    check_answer(backbone, ask, answer, tasks[place][0])
                go_on(place, own)
    return [result for result in results if result is not None]
