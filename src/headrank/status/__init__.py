"""How far a study is: which jobs are done, at work, failed or left, from the files that they leave."""
